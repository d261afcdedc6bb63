"""The load: Locust members, the pools they belong to, and the coordinator of all pools. Most modules import gevent."""
