"""The transforms: each module of this folder holds one, under its own name; they are imported when asked for."""

from pbslim.passes import registry

registry.provide(__name__, __path__)
