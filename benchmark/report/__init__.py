"""What is shown: tables, figures, pages, published values, kept results."""
