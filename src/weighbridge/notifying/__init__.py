"""Delivers notices: to a webhook, or to a program such as a mail program."""
