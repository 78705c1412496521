"""Tells from a window's title whether an agent works: by the signs its profile knows, or by what it learns itself."""

from remote_client.monitor.profile import Activity, Profile


class TitleReader:
    """Fed with each title. A sign that the profile does not know is compared with the one that the agent began with:
    before its first prompt it rests."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._uses_titles = profile.title_idle is not None or profile.title_busy is not None
        self._resting_sign: str | None = None
        self._learns = True
        self.activity: Activity | None = None

    def may_be_busy(self) -> None:
        """The agent was at work before this began: its first title teaches nothing."""
        self._learns = False

    def read(self, title: str) -> Activity | None:
        """What the title says; None when it says nothing about work."""
        if not title or not self._uses_titles:
            return None
        sign = title[0]
        said = self._profile.title_says(title)
        if said is None:
            said = self._compared(sign)
        if self._learns and (said is None or said == "idle") and self._resting_sign is None:
            self._resting_sign = sign
            said = said or "idle"
        if said is not None:
            self.activity = said
        return said

    def _compared(self, sign: str) -> Activity | None:
        if self._resting_sign is None:
            return None
        if sign == self._resting_sign:
            return "idle"
        # A title without a sign tells nothing, nor does another where there was none before.
        if sign.isalnum() or self._resting_sign.isalnum():
            return None
        return "busy"
