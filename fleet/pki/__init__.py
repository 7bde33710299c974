"""
Certificates of a site: made and revoked by `fleet tls`, believed or not by the server.

A CA of one's own, in a folder of one's own: enough for a trial site. Whoever has a CA already issues the same names with it.
"""

from typing import Final

DAYS_USUAL: Final = 365  # how long a certificate is good unless somebody says otherwise
FIRST_SUPERVISOR: Final = "first"
