"""What runs beside the jobs: products become jobs, old records go."""
