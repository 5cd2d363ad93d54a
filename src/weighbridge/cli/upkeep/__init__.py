"""Commands for the operator of an installation: backups, notices, own factors."""
