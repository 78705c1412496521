"""`/rest/v1`: what the official client asks of PostgREST, answered from the same PostgreSQL."""
