"""What a failed call means: the evidence that the server sent, the kind of error it is, and the
words for it.
"""
