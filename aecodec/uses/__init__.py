"""What a codec's latents are for besides compressing: scores, features, maps, samples, duplicates."""
