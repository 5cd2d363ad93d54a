"""Everything that a user can ask Weighbridge to do; API, dashboard and command line all call these
functions.
"""
