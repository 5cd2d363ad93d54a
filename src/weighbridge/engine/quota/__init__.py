"""Who may call when: the permits of every call in every process."""
