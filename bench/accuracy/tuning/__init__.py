"""What tuning the thresholds on some scenes gives on others: recorded measurements judged again."""
