"""Site files: the corridor as data, checked with the line and a hint, its conflict zones derived."""

from fleet.site.kept import kept_site
from fleet.site.load import corridor_of_text, load_site, site_names, text_of
from fleet.site.schema import site_schema
from fleet.site.source import SiteError

__all__ = ["SiteError", "corridor_of_text", "kept_site", "load_site", "site_names", "site_schema", "text_of"]
