"""Hears one topic of Supabase Realtime, supervised, and says truly whether it does. Knows nothing of SEMO."""
