"""What is wrong with a data set in COCO format: findings with their ids, a report, a corrected copy."""
