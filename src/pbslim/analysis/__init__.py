"""Facts about a graph that tools, transforms and verification share; nothing here changes one."""
