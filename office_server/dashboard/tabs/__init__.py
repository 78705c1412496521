"""The tabs of a session's detail, one module each: `build(view)` fills the tab, `look(news)` keeps it up to date.

A new one is added to `_TABS` in `detail.py`; its text is `tab.NAME`.
"""
