"""What needs a checkout: the reference, the documents, the files of deployments."""
