"""Operations for those who run an installation: notices, backups, own factors, scratch folders."""
