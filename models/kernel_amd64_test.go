package models

func masksOf(k kernel) *masks {
	if k, ok := k.(*avx512Kernel); ok {
		return k.masks
	}
	return k.(*avx2Kernel).masks
}
