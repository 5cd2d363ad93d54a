"""From answers to a stored footprint: what the engine does when a product is answered, and the desk
when it is corrected.
"""
