"""Site files: the corridor as data, checked with the line and a hint, its conflict zones derived."""

from fleet.site.load import load_site, site_names
from fleet.site.schema import site_schema
from fleet.site.source import SiteError

__all__ = ["SiteError", "load_site", "site_names", "site_schema"]
