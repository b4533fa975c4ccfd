"""Data set check: findings with ids, report, corrected copy."""
