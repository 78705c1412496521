"""The embedded default: PostgreSQL from a wheel and one gateway with the URLs of a Supabase project; knows nothing of SEMO."""
