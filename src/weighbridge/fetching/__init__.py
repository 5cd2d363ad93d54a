"""Fetches pictures from addresses that strangers wrote: only public ones, within limits of time and
size.
"""
