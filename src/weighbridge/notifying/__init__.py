"""Carries notices out of the program: by webhook, or to a program such as a mail program."""
