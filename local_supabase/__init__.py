"""The embedded default: PostgreSQL and one gateway with the URLs of a Supabase project. Knows nothing of SEMO."""
