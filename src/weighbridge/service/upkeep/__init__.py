"""What looking after an installation needs: notices, backups."""
