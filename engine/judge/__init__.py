"""From a measurement and a camera's memory to a verdict. Pure: time comes in, nothing goes out."""
