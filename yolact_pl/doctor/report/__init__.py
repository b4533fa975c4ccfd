"""Reports of a data check: screen, HTML, csv."""
