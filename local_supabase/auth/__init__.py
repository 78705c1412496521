"""`/auth/v1`: users, passwords and sessions as Supabase Auth (GoTrue) has them; only what enrolment and people need."""
