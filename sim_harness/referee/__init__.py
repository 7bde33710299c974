"""
Referees nobody here wrote: SUMO, ad-rss, shapely and closed forms beside what we compute ourselves.

Run as `make referee`, in an environment of its own: what referees need is no dependency of the product. Nothing outside this
package imports it.
"""
