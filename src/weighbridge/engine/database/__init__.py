"""The engine's access to PostgreSQL: retries, batches, announcements, heartbeats, and the driver
for PgQueuer.
"""
