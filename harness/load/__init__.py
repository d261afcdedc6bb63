"""The load: Locust members, the pools they belong to, and the coordinator of all pools. Importing it loads gevent."""
