"""What would change? Desired against live, a pure diff; a plan writes nothing."""
