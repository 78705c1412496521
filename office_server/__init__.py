"""The office: its REST API and the insertion of commands; everything it decides about rows happens in SQL."""
