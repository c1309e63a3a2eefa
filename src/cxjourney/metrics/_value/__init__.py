"""Revenue, purchases and customer lifetime value."""
