"""Programs that need a checkout: they make the reference results, the documents and the files of deployments."""
