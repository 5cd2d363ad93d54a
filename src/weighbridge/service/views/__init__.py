"""What people look at: the state of the queue in a sentence, its recent past, who works, what the
results say.
"""
