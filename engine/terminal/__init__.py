"""What a person sees in a terminal. Rendering only: data in, text or pictures out."""
