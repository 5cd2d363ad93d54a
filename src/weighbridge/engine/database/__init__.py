"""How the engine talks to PostgreSQL: retries, batches, announcements, heartbeats, PgQueuer's
driver.
"""
