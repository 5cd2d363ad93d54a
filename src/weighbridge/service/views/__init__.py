"""What pages show: the state of the queue in a sentence, its last hour, the workers, the totals of
the results.
"""
