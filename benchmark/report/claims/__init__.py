"""The paper's claims, declared once each and judged from kept results: ``emde claims``."""
