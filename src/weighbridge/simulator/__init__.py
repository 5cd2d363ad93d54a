"""The counterparty: imitates a provider over HTTP, by its own books."""
