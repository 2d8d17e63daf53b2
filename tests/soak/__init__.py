"""All of prewire under hours of changes, clients and traffic: does anything grow or leak?"""
