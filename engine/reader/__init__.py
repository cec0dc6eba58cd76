"""The reader process: it reads the text that cameras burn into their pictures, one picture at a time."""
