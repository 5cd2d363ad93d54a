"""What a person can ask for; API, dashboard and command line all call these."""
