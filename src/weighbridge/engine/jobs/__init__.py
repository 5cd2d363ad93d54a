"""What happens to one job: its products are asked about, the replies judged and recorded."""
