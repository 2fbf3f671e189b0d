"""KTAP, the form in which every test here says its result: a line a check, the plan at the end, what was seen where one fails."""
import re

KEPT = 4000  # characters of what was seen: the last ones


def comment(text):
    """@text as KTAP's comments, one a line."""
    return re.sub(r"^", "# ", str(text).rstrip("\n"), flags=re.M)


class Report:
    """Counts the checks of one run. @where, if any, is told behind each name."""

    def __init__(self, where=""):
        self.where, self.count, self.failed = f" ({where})" if where else "", 0, 0

    def check(self, good, name, seen=""):
        """One check, and @good again; @seen is shown if it failed."""
        self.count += 1
        self.failed += not good
        if not good and str(seen):
            print(comment(str(seen)[-KEPT:]))
        print(f"{'ok' if good else 'not ok'} {self.count} {name}{self.where}", flush=True)
        return good

    def matches(self, text, pattern, name):
        return self.check(re.search(pattern, text or "", re.M) is not None, name, f"no /{pattern}/ in:\n{text}")

    def note(self, text):
        print(comment(text), flush=True)

    def tell(self, failed, text):
        """All there is to know, if more has failed than @failed."""
        if self.failed > failed:
            self.note(text)

    def end(self):
        """The plan; a program's exit status: 1 if a check failed or there was none."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed or not self.count else 0
