"""Requests to addresses that strangers wrote: only public ones, bounded in time and size."""
