"""Who is signed in: the sealed cookie, the key that seals it, and the pages of signing in and out."""
