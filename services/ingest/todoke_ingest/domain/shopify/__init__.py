"""A Shopify webhook -> CloudEvents. Payloads: https://shopify.dev/docs/api/webhooks"""
